# SPDX-License-Identifier: GPL-3.0-or-later
# A large application takes minutes to boot. A number of seconds in this file stands in for one.
boot_delay = File.join(Laevigata::SHARED, "boot_delay")
sleep File.read(boot_delay).to_f if File.exist?(boot_delay)
