package protocol

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"reflect"
	"strconv"
	"strings"

	"weir/protocol/batch"
)

// Format prints an event, effect, message or frame on one line: its name in kebab-case, then its fields as name=value;
// fields with their zero value are left out. Parse reads it back. An Object prints as its String method says, or as
// length and checksum of its encoding, and parses as an Opaque that prints the same.
func Format(v any) string {
	var b strings.Builder
	formatNamed(&b, reflect.ValueOf(v), "", "")
	return b.String()
}

// Opaque stands for an Object whose text was parsed. It encodes to its text.
type Opaque string

// Encode implements Object.
func (o Opaque) Encode(dst []byte) []byte { return append(dst, o...) }

// String is the text.
func (o Opaque) String() string { return string(o) }

// kebab turns a Go name into words: EndTxn is end-txn, TopicID is topic-id.
func kebab(name string) string {
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 && (name[i-1] < 'A' || name[i-1] > 'Z') {
				b.WriteByte('-')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// formatNamed prints a struct with its type's name, the fields between open and end.
func formatNamed(b *strings.Builder, v reflect.Value, open, end string) {
	b.WriteString(kebab(v.Type().Name()))
	if open == "" && v.NumField() > 0 {
		formatFields(b, v, " ")
		return
	}
	b.WriteString(open)
	formatFields(b, v, "")
	b.WriteString(end)
}

// formatFields prints the fields that are not zero; before stands in front of the first.
func formatFields(b *strings.Builder, v reflect.Value, before string) {
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			b.WriteString(before)
			b.WriteString(kebab(v.Type().Field(i).Name))
			b.WriteByte('=')
			formatValue(b, f)
			before = " "
		}
	}
}

func formatValue(b *strings.Builder, v reflect.Value) {
	switch x := v.Interface().(type) {
	case Object:
		formatText(b, describeObject(x))
		return
	case TopicID:
		b.WriteString(hex.EncodeToString(x[:]))
		return
	case Sum:
		b.WriteString(hex.EncodeToString(x[:]))
		return
	case *batch.Batch:
		formatBatch(b, x)
		return
	case []byte:
		b.WriteString(strconv.Quote(string(x)))
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		formatNamed(b, v.Elem(), "{", "}")
	case reflect.Struct:
		b.WriteByte('{')
		formatFields(b, v, "")
		b.WriteByte('}')
	case reflect.Slice:
		formatSlice(b, v)
	case reflect.String:
		formatText(b, v.String())
	case reflect.Uint8: // an enum
		fmt.Fprint(b, v.Interface())
	default:
		fmt.Fprint(b, v.Interface())
	}
}

func formatSlice(b *strings.Builder, v reflect.Value) {
	b.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			b.WriteByte(' ')
		}
		formatValue(b, v.Index(i))
	}
	b.WriteByte(']')
}

// formatText prints text bare where that can be read back.
func formatText(b *strings.Builder, s string) {
	if bare(s) {
		b.WriteString(s)
		return
	}
	b.WriteString(strconv.Quote(s))
}

func bare(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"{}[]=`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

func describeObject(o Object) string {
	if s, ok := o.(fmt.Stringer); ok {
		return s.String()
	}
	body := o.Encode(nil)
	return fmt.Sprintf("%d-bytes-%08x", len(body), crc32.ChecksumIEEE(body))
}

// formatBatch prints records as "key":"value"@partition:offset#hash.
func formatBatch(b *strings.Builder, x *batch.Batch) {
	b.WriteByte('[')
	for i := range x.Len() {
		if i > 0 {
			b.WriteByte(' ')
		}
		r := x.Record(i)
		fmt.Fprintf(b, "%q:%q@%d:%d#%d", x.Key(i), x.Value(i), r.Partition, r.Offset, r.Hash)
	}
	b.WriteByte(']')
}
