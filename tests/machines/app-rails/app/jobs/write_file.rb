# SPDX-License-Identifier: GPL-3.0-or-later
# Writes TEXT and the user id it runs as into the file PATH.
class WriteFile < ApplicationJob
  def perform(path, text = "done")
    File.write(path, "#{text} uid=#{Process.uid}\n")
  end
end
