# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: example
options:
  processes:
    description: How many. From 1 to 100.
    type: int
    default: 1
  instances:
    description:
      - Several of different kinds. Mutually exclusive with O(processes) and O(exec_start).
      - "A description: long, with # and 'quotes', which goes on and on and on until it has to be folded over at least two lines, however wide they are."
    type: list
    elements: dict
    suboptions:
      name:
        description: What it is called.
        type: str
        required: true
      queues:
        description: As O(queues). Mutually exclusive with O(instances[].exec_start).
        type: list
        elements: str
        choices: ["a", "b, c", "no"]
        default: ["b, c"]
      exec_start:
        description: A command. That of O(exec_start) if it is not set.
        type: str
  secret_env:
    description: Variables. The values are never shown in results.
    type: dict
  log_rotate:
    description: How to keep logs.
    type: dict
    suboptions:
      keep:
        description: How long. From -1 to 52 weeks.
        type: int
        version_added: 1.1.0
  exec_start:
    description: A command.
    type: str
  known_services:
    description: Others.
    type: list
    elements: path
"""

RETURN = r"""
unit:
  description: The unit, see RV(after).
  returned: always
  type: str
main_pid:
  description: A process.
  returned: success, null where there is none
  type: int
  sample: 1
rolled_back:
  description: Whether.
  returned: on failure
  type: bool
changes:
  description: All.
  returned: in diff mode
  type: list
  elements: dict
  contains: &change
    before:
      description: Text.
      type: str
      returned: always, null where it is new
    parts:
      description: Some.
      type: list
      elements: dict
      contains:
        words:
          description: Words.
          type: list
          elements: str
first:
  description: The first.
  returned: if there is one
  type: dict
  contains: *change
options:
  description: Any.
  returned: success
  type: dict
"""
