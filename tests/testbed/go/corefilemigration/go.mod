module netops.example/testbed/corefilemigration

go 1.26.0

require github.com/coredns/corefile-migration v1.0.31

require github.com/coredns/caddy v1.1.1 // indirect
