package protocol

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"weir/protocol/batch"
)

// vocabulary is one value of every event, effect, message and frame.
func vocabulary() []any {
	return []any{
		Resume{}, Wake{}, Send{}, Grant{}, Release{}, Tell{}, Store{}, Load{}, Delete{}, Keep{}, Recall{}, Retain{}, Survey{}, Fetch{}, OpenSlot{}, Produce{}, Flush{}, EndTxn{},
		ReadLedger{}, Fence{}, Erase{}, ListTxns{}, Spawn{}, Halt{}, Fail{}, Exit{}, Note{},
		Started{}, Resumed{}, Woken{}, Received{}, Granted{}, Lost{}, Told{}, Stored{}, Loaded{}, Deleted{}, Recalled{}, Surveyed{}, Fetched{}, Opened{}, Produced{},
		Flushed{}, Ended{}, LedgerRead{}, Fenced{}, Erased{}, TxnsListed{}, Died{}, StopAsked{},
		Ping{}, Pong{}, Start{}, Stop{}, TaskFailed{}, Ready{}, Drained{}, Trigger{}, Ack{}, Decline{}, Abort{}, Aborted{}, Confirm{}, Sealed{}, Settled{},
		Data{}, Barrier{}, End{},
	}
}

// Parse reads what Format prints.
func Parse(line string) (any, error) {
	p := &parser{rest: strings.TrimSpace(line)}
	v, err := p.named(p.word(" {"), false)
	if err == nil && p.rest != "" {
		err = p.errorf("%q is too much", p.rest)
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	return v.Interface(), nil
}

type parser struct{ rest string }

func (p *parser) errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// word takes everything up to one of the bytes in stop.
func (p *parser) word(stop string) string {
	at := strings.IndexAny(p.rest, stop)
	if at < 0 {
		at = len(p.rest)
	}
	w := p.rest[:at]
	p.rest = p.rest[at:]
	return w
}

// take consumes s if it is next.
func (p *parser) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	p.rest = rest
	return ok
}

// named reads the fields of the type of that name; braces says whether they stand in braces.
func (p *parser) named(name string, braces bool) (reflect.Value, error) {
	for _, proto := range vocabulary() {
		if t := reflect.TypeOf(proto); kebab(t.Name()) == name {
			v := reflect.New(t).Elem()
			if braces && !p.take("{") {
				return v, p.errorf("%s: its fields must stand in braces", name)
			}
			return v, p.fields(v, braces)
		}
	}
	return reflect.Value{}, p.errorf("there is no %q", name)
}

// fields reads name=value until the closing brace, or the end of the line.
func (p *parser) fields(v reflect.Value, braces bool) error {
	for {
		p.rest = strings.TrimLeft(p.rest, " ")
		if p.rest == "" && !braces || braces && p.take("}") {
			return nil
		}
		name := p.word("= ")
		if !p.take("=") {
			return p.errorf("field %q has no value", name)
		}
		f, ok := field(v, name)
		if !ok {
			return p.errorf("%s has no field %q", kebab(v.Type().Name()), name)
		}
		if err := p.value(f); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func field(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if kebab(v.Type().Field(i).Name) == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func (p *parser) value(v reflect.Value) error {
	switch x := v.Addr().Interface().(type) {
	case *Object:
		s, err := p.text()
		*x = Opaque(s)
		return err
	case *TopicID:
		return p.hex(x[:])
	case *Sum:
		return p.hex(x[:])
	case **batch.Batch:
		return p.batch(x)
	case *[]byte:
		s, err := p.text()
		*x = []byte(s)
		return err
	}
	switch v.Kind() {
	case reflect.Interface:
		e, err := p.named(p.word("{"), true)
		if err == nil {
			if !e.Type().AssignableTo(v.Type()) {
				return p.errorf("a %s does not belong here", kebab(e.Type().Name()))
			}
			v.Set(e)
		}
		return err
	case reflect.Struct:
		if !p.take("{") {
			return p.errorf("%q: want {", p.rest)
		}
		return p.fields(v, true)
	case reflect.Slice:
		return p.slice(v)
	case reflect.String:
		s, err := p.text()
		v.SetString(s)
		return err
	case reflect.Uint8:
		return p.enum(v)
	}
	return p.scalar(v)
}

func (p *parser) slice(v reflect.Value) error {
	if !p.take("[") {
		return p.errorf("%q: want [", p.rest)
	}
	for !p.take("]") {
		if p.rest == "" {
			return p.errorf("a list without end")
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := p.value(e); err != nil {
			return err
		}
		v.Set(reflect.Append(v, e))
		p.take(" ")
	}
	return nil
}

// text reads bare or quoted text.
func (p *parser) text() (string, error) {
	if !strings.HasPrefix(p.rest, `"`) {
		return p.word(" }]"), nil
	}
	q, err := strconv.QuotedPrefix(p.rest)
	if err != nil {
		return "", p.errorf("%q: a quote without end", p.rest)
	}
	p.rest = p.rest[len(q):]
	return strconv.Unquote(q)
}

func (p *parser) hex(dst []byte) error {
	b, err := hex.DecodeString(p.word(" }]"))
	if err != nil || len(b) != len(dst) {
		return p.errorf("want %d hex digits", 2*len(dst))
	}
	copy(dst, b)
	return nil
}

// enum finds the value of a small enum by its name.
func (p *parser) enum(v reflect.Value) error {
	name := p.word(" }]")
	for n := range uint64(32) {
		v.SetUint(n)
		if fmt.Sprint(v.Interface()) == name {
			return nil
		}
	}
	return p.errorf("there is no %s %q", kebab(v.Type().Name()), name)
}

func (p *parser) scalar(v reflect.Value) (err error) {
	w := p.word(" }]")
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(w == "true")
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(w, 10, v.Type().Bits())
		v.SetUint(n)
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(w, 10, v.Type().Bits())
		v.SetInt(n)
	default:
		err = p.errorf("no value of type %s can be read", v.Type())
	}
	return err
}

// batch reads "key":"value"@partition:offset#hash records.
func (p *parser) batch(dst **batch.Batch) error {
	if !p.take("[") {
		return p.errorf("%q: want [", p.rest)
	}
	b := new(batch.Batch)
	*dst = b
	for !p.take("]") {
		key, err := p.text()
		if err != nil || !p.take(":") {
			return p.errorf("%q: want \"key\":\"value\"", p.rest)
		}
		value, err := p.text()
		if err != nil {
			return err
		}
		var r batch.Record
		if _, err := fmt.Sscanf(p.word(" ]"), "@%d:%d#%d", &r.Partition, &r.Offset, &r.Hash); err != nil {
			return p.errorf("want @partition:offset#hash: %v", err)
		}
		b.Append([]byte(key), []byte(value), r)
		p.take(" ")
	}
	return nil
}
