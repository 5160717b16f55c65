# SPDX-License-Identifier: GPL-3.0-or-later
# A real Rails application, as small as one can be that does its jobs by ActiveJob on Sidekiq and has a database. It has to boot under Rails
# 6.1 and 7.2, those of bookworm and trixie.
require "bundler/setup"
require "rails/all"
Bundler.require(*Rails.groups)

# bookworm's Sidekiq calls its Redis library in a way that one finds old-fashioned, every two seconds.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)

module Laevigata
  SHARED = "/opt/laevigata/shared"

  class Application < Rails::Application
    config.load_defaults Rails::VERSION::STRING[/\A\d+\.\d+/]
    config.active_job.queue_adapter = :sidekiq
  end
end
