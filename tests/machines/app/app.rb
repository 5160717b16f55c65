# SPDX-License-Identifier: GPL-3.0-or-later
# A real, small Sidekiq application: what the tests run as a service.
# It has to load under Sidekiq 6.0, 6.4 and 7.3, hence Sidekiq::Worker, the name all of them know.
require "sidekiq"

# bookworm's Sidekiq calls its Redis library in a way that one finds old-fashioned, every two seconds.
Redis.silence_deprecations = true if defined?(Redis) && Redis.respond_to?(:silence_deprecations=)

SHARED = "/opt/laevigata/shared"

# A large Rails application takes minutes to boot. A number of seconds in this file stands in for one.
boot_delay = File.join(SHARED, "boot_delay")
sleep File.read(boot_delay).to_f if File.exist?(boot_delay)

# Writes TEXT and the user id it runs as into the file PATH.
class WriteFile
  include Sidekiq::Worker

  def perform(path, text = "done")
    File.write(path, "#{text} uid=#{Process.uid}\n")
  end
end

# Takes SECONDS, then appends ID to the ledger: a job that is lost, or done twice, shows there.
class Sleep
  include Sidekiq::Worker

  def perform(id, seconds, ledger = File.join(SHARED, "tmp", "ledger"))
    sleep seconds.to_f
    File.open(ledger, "a") { |file| file.write("#{id}\n") }
  end
end

# Writes the name of the release it runs from into the file PATH.
class ReportRelease
  include Sidekiq::Worker

  def perform(path)
    File.write(path, "#{File.basename(File.realpath(__dir__))}\n")
  end
end

# Holds Ruby's global lock for some SECONDS, as a call into a C library may: no other thread of the process runs meanwhile, not even the
# one that tells systemd that the process is alive. Then appends ID to the ledger.
class Hold
  include Sidekiq::Worker

  def perform(id, seconds, ledger = File.join(SHARED, "tmp", "ledger"))
    rounds = 100_000
    began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    "x".crypt("$6$rounds=#{rounds}$salt")
    once = Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
    "x".crypt("$6$rounds=#{(rounds * seconds.to_f / once).to_i}$salt")
    File.open(ledger, "a") { |file| file.write("#{id}\n") }
  end
end

# Has a child process work for SECONDS, as ImageMagick does, then appends ID to the ledger. If the child is killed, the job has failed,
# and there is no second try.
class Child
  include Sidekiq::Worker
  sidekiq_options retry: false

  def perform(id, seconds, ledger = File.join(SHARED, "tmp", "ledger"))
    system("sleep", seconds.to_s) or raise "the child was killed"
    File.open(ledger, "a") { |file| file.write("#{id}\n") }
  end
end

# Has a child process take all the memory it can get.
class Devour
  include Sidekiq::Worker
  sidekiq_options retry: false

  def perform
    system("ruby", "-e", "all = []; loop { all << 'x' * 1_000_000 }") or raise "the child was killed"
  end
end

# Runs a shell command as a child and writes what it printed, and then its exit status, into the file PATH: what jobs may do, one can ask.
class Run
  include Sidekiq::Worker
  sidekiq_options retry: false

  def perform(command, path)
    output = IO.popen(["/bin/sh", "-c", command], err: %i[child out], &:read)
    File.write("#{path}.new", "#{output}status #{$?.exitstatus}\n")
    File.rename("#{path}.new", path)
  end
end
