package protocol

import (
	"reflect"
	"testing"

	"weir/protocol/batch"
)

// fill sets every field of v to something that is not zero.
func fill(v reflect.Value, n *int64) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *Object:
		*x = Opaque("object of \"text\"")
		return
	case *Message:
		*x = Confirm{Scope: Scope{Job: "j", Epoch: 3}, Checkpoint: 9}
		return
	case *Frame:
		*x = Barrier{Checkpoint: 42}
		return
	case **batch.Batch:
		*x = new(batch.Batch)
		(*x).Append([]byte("k ] \""), []byte("v\x00\xff"), batch.Record{Hash: 7, Partition: 3, Offset: 11})
		(*x).Append(nil, nil, batch.Record{})
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString([]string{"plain/text.1", "with space", `with "quote" {and} [brackets]=`, ""}[*n%4])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n%3) + 1)
	default:
		if v.CanUint() {
			v.SetUint(uint64(*n))
		} else {
			v.SetInt(-*n)
		}
	}
}

func TestEveryWordIsReadBack(t *testing.T) {
	for _, proto := range vocabulary() {
		for _, full := range []bool{false, true} {
			v := reflect.New(reflect.TypeOf(proto)).Elem()
			var n int64
			if full {
				fill(v, &n)
			}
			text := Format(v.Interface())
			back, err := Parse(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			if !reflect.DeepEqual(back, v.Interface()) {
				t.Errorf("%s\n  was %#v\n  is  %#v", text, v.Interface(), back)
			}
			if again := Format(back); again != text {
				t.Errorf("formats as %s, then as %s", text, again)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{"", "no-such-thing", "barrier checkpoint", "barrier checkpoint=x", "barrier colour=3", "told message=barrier{}",
		"stored outcome=great", "send channel=1 frame=barrier{checkpoint=2", "surveyed ranges=[{start=1}", "told message=ack{snapshot={task=1}"} {
		if v, err := Parse(line); err == nil {
			t.Errorf("%q was read as %#v", line, v)
		}
	}
}
