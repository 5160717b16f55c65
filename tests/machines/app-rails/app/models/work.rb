# SPDX-License-Identifier: GPL-3.0-or-later
class Work < ApplicationRecord
  validates :title, presence: true
end
