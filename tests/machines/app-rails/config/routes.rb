# SPDX-License-Identifier: GPL-3.0-or-later
Rails.application.routes.draw { root to: proc { [200, {}, ["laevigata"]] } }
