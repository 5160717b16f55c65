# SPDX-License-Identifier: GPL-3.0-or-later
Rails.application.configure do
  config.eager_load = true
  # Rails 7.1 calls by another name what earlier ones have as cache_classes.
  Rails::VERSION::MAJOR < 7 ? config.cache_classes = true : config.enable_reloading = false
  config.active_storage.service = :local
  config.active_record.dump_schema_after_migration = false
end
