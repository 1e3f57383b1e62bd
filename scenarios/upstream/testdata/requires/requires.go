// Package requires is a module that requires the packages under test, as a user would have them.
package requires

import (
	_ "github.com/ceph/go-ceph/rados"
	_ "github.com/mattn/go-sqlite3"
)
