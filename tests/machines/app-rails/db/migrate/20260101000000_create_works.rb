# SPDX-License-Identifier: GPL-3.0-or-later
class CreateWorks < ActiveRecord::Migration[6.0]
  def change
    create_table :works do |t|
      t.string :title, null: false
      t.string :description
      t.timestamps
    end
  end
end
