# SPDX-License-Identifier: GPL-3.0-or-later
# Puts a work into the database, and has another job describe it: the record is handed on by its GlobalID, as ActiveJob does.
class Catalogue < ApplicationJob
  def perform(title)
    Describe.perform_later(Work.create!(title: title))
  end
end
