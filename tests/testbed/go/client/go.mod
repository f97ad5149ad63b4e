module netops.example/testbed/client

go 1.26.0
