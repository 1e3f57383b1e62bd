module example.com/requires

go 1.25.0

require (
	github.com/ceph/go-ceph v0.39.0
	github.com/mattn/go-sqlite3 v1.14.53
)

require golang.org/x/sys v0.42.0 // indirect
