module github.com/curationexperts/ansible-sidekiq

go 1.26.8
