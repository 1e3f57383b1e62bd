package coverage

// exceptions says of which functions no error can be had with the librados that is supported, and why.
var exceptions = map[string]string{
	"Conn.GetAddrs":              "`rados_getaddrs` returns 0 always",
	"Conn.GetFSID":               "librados answers with zeros where it does not know the id, and never with an error",
	"Conn.ParseDefaultConfigEnv": "librados ignores what it does not understand in `CEPH_ARGS`",
	"Conn.WaitForLatestOSDMap":   "it waits until the monitor answers; not connected it crashes, see FOUND.md",
	"IOContext.Iter":             "`rados_nobjects_list_open` returns 0 always; errors come with the first object",
	"NewConn":                    "`rados_create` returns 0 always",
	"NewConnWithUser":            "`rados_create` returns 0 always",
}
