# SPDX-License-Identifier: GPL-3.0-or-later
class Describe < ApplicationJob
  def perform(work)
    work.update!(description: "#{work.title}, of #{work.created_at.year}")
  end
end
