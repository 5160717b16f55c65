# SPDX-License-Identifier: GPL-3.0-or-later
# Takes SECONDS, then appends ID to the ledger: a job that is lost, or done twice, shows there.
class Sleep < ApplicationJob
  def perform(id, seconds, ledger = File.join(Laevigata::SHARED, "tmp", "ledger"))
    sleep seconds.to_f
    File.open(ledger, "a") { |file| file.write("#{id}\n") }
  end
end
