# SPDX-License-Identifier: GPL-3.0-or-later
require_relative "application"

Rails.application.initialize!
