package story

/*
#cgo LDFLAGS: -lrados
#include <errno.h>
#include <stdlib.h>
#include <rados/librados.h>
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Store keeps objects in a pool of a Ceph cluster. It is safe for use by several goroutines.
type Store struct {
	text    func(code int) string
	cluster C.rados_t
	ioctx   C.rados_ioctx_t
}

// Open connects to the cluster that a configuration file describes. Text turns return codes of librados into text. The
// caller has to close the store.
func Open(configFile, pool string, text func(code int) string) (*Store, error) {
	s := &Store{text: text}
	config, name := C.CString(configFile), C.CString(pool)
	defer C.free(unsafe.Pointer(config))
	defer C.free(unsafe.Pointer(name))
	if code := C.rados_create(&s.cluster, nil); code < 0 {
		return nil, s.fail("making a connection", code)
	}
	if code := C.rados_conf_read_file(s.cluster, config); code < 0 {
		defer C.rados_shutdown(s.cluster)
		return nil, s.fail("reading "+configFile, code)
	}
	if code := C.rados_connect(s.cluster); code < 0 {
		defer C.rados_shutdown(s.cluster)
		return nil, s.fail("connecting", code)
	}
	if code := C.rados_ioctx_create(s.cluster, name, &s.ioctx); code < 0 {
		defer C.rados_shutdown(s.cluster)
		return nil, s.fail("opening pool "+pool, code)
	}
	return s, nil
}

// Close disconnects.
func (s *Store) Close() {
	C.rados_ioctx_destroy(s.ioctx)
	C.rados_shutdown(s.cluster)
}

// Look says what the store knows of an object: its size, or the text of the error if there is none. Only other errors
// are returned as such.
func (s *Store) Look(object string) (size uint64, note string, err error) {
	name := C.CString(object)
	defer C.free(unsafe.Pointer(name))
	var n C.uint64_t
	switch code := C.rados_stat(s.ioctx, name, &n, nil); code {
	case 0:
		return uint64(n), "", nil
	case -C.ENOENT:
		return 0, s.text(int(code)), nil
	default:
		return 0, "", s.fail("looking for "+object, code)
	}
}

// Put writes a whole object.
func (s *Store) Put(object string, data []byte) error {
	name := C.CString(object)
	defer C.free(unsafe.Pointer(name))
	if code := C.rados_write_full(s.ioctx, name, (*C.char)(unsafe.Pointer(unsafe.SliceData(data))), C.size_t(len(data))); code < 0 {
		return s.fail("writing "+object, code)
	}
	return nil
}

func (s *Store) fail(what string, code C.int) error {
	return fmt.Errorf("%s: %s", what, s.text(int(code)))
}
