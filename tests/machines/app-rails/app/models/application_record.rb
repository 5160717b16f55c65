# SPDX-License-Identifier: GPL-3.0-or-later
class ApplicationRecord < ActiveRecord::Base
  self.abstract_class = true
end
