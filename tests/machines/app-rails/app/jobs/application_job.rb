# SPDX-License-Identifier: GPL-3.0-or-later
class ApplicationJob < ActiveJob::Base
  queue_as :default
end
