package story

/*
#include <errno.h>
#include <stdlib.h>
#include <rados/librados.h>
*/
import "C"

import "unsafe"

// Librados lends, too. The value of an attribute is good until the iterator goes on, and is the iterator's to free; so is
// the name of an object in a listing.

// SetAttribute gives an object an attribute.
func (s *Store) SetAttribute(object, attribute, value string) error {
	names := [3]*C.char{C.CString(object), C.CString(attribute), C.CString(value)}
	for _, n := range names {
		defer C.free(unsafe.Pointer(n))
	}
	if code := C.rados_setxattr(s.ioctx, names[0], names[1], names[2], C.size_t(len(value))); code < 0 {
		return s.fail("setting "+attribute, code)
	}
	return nil
}

// Attributes are the values of an object's attributes by name.
func (s *Store) Attributes(object string) (map[string]string, error) {
	return s.attributes(object, func(value *C.char, size C.size_t) string { return C.GoStringN(value, C.int(size)) })
}

// FreedAttributes is Attributes with a bug: it frees each value.
func (s *Store) FreedAttributes(object string) (map[string]string, error) {
	return s.attributes(object, freedValue)
}

func freedValue(value *C.char, size C.size_t) string {
	text := C.GoStringN(value, C.int(size))
	C.free(unsafe.Pointer(value)) // the bug
	return text
}

func (s *Store) attributes(object string, read func(*C.char, C.size_t) string) (map[string]string, error) {
	name := C.CString(object)
	defer C.free(unsafe.Pointer(name))
	var it C.rados_xattrs_iter_t
	if code := C.rados_getxattrs(s.ioctx, name, &it); code < 0 {
		return nil, s.fail("reading attributes of "+object, code)
	}
	defer C.rados_getxattrs_end(it)
	attributes := map[string]string{}
	for {
		var attribute, value *C.char
		var size C.size_t
		if code := C.rados_getxattrs_next(it, &attribute, &value, &size); code < 0 {
			return nil, s.fail("reading attributes of "+object, code)
		}
		if attribute == nil {
			return attributes, nil
		}
		attributes[C.GoString(attribute)] = read(value, size)
	}
}

// Objects are the names of all objects in the pool.
func (s *Store) Objects() ([]string, error) {
	var names []string
	err := s.list(func(name *C.char) { names = append(names, C.GoString(name)) })
	return names, err
}

// LateObjects is Objects with a bug: it copies the names when all are there.
func (s *Store) LateObjects() ([]string, error) {
	var late []*C.char
	err := s.list(func(name *C.char) { late = append(late, name) })
	var names []string
	for _, name := range late {
		names = append(names, C.GoString(name)) // the bug
	}
	return names, err
}

func (s *Store) list(object func(name *C.char)) error {
	var listing C.rados_list_ctx_t
	if code := C.rados_nobjects_list_open(s.ioctx, &listing); code < 0 {
		return s.fail("listing objects", code)
	}
	defer C.rados_nobjects_list_close(listing)
	for {
		var name *C.char
		switch code := C.rados_nobjects_list_next(listing, &name, nil, nil); {
		case code == -C.ENOENT:
			return nil
		case code < 0:
			return s.fail("listing objects", code)
		}
		object(name)
	}
}
