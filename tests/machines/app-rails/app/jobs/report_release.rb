# SPDX-License-Identifier: GPL-3.0-or-later
# Writes the name of the release it runs from into the file PATH.
class ReportRelease < ApplicationJob
  def perform(path)
    File.write(path, "#{File.basename(Rails.root.realpath)}\n")
  end
end
