package faults

import (
	"fmt"
	"strconv"
	"strings"
)

// Profile says how often each kind strikes; zero is off. For a timed kind it is the number of faults of a run, for
// others the chance per occasion, in millionths.
type Profile [Kinds]int

// Calm is the profile without faults.
func Calm() Profile { return Profile{} }

// Full is the profile with every kind at its most, which Draw scales down.
func Full() Profile {
	var p Profile
	for k := range Kind(Kinds) {
		p[k] = k.most()
	}
	return p
}

// Draw makes a seed's profile: each kind that limit allows is off half the time, else its intensity is drawn up to
// limit's. Most are low: a fault that always strikes hides others. One in four is high, or two lost messages in a row
// would hardly ever be. One seed in 24 has no faults: what goes wrong then nobody else has caused.
func Draw(c *Choice, limit Profile) Profile {
	var p Profile
	if calm := seeded(c.seed, 1<<40); calm.Chance(1, 24) {
		return p
	}
	for k := range Kind(Kinds) {
		s := seeded(c.seed, kindPurpose(k, 1<<40))
		most := int64(limit[k])
		if most == 0 || !s.Chance(1, 2) {
			continue
		}
		if p[k] = int(s.Spread(0, most)); s.Chance(1, 4) {
			p[k] = int(s.Between(most/4, most))
		}
	}
	return p
}

// Raise is the profile with each of the kinds, unless it is off, at least at least.
func (p Profile) Raise(least int, kinds ...Kind) Profile {
	for _, k := range kinds {
		if p[k] > 0 {
			p[k] = max(p[k], least)
		}
	}
	return p
}

func (k Kind) most() int {
	switch k {
	case CrashWorker, CrashInEffects, ChannelReset:
		return 6
	case Pause, ClockJump:
		return 8
	case Partition:
		return 12
	case CrashCoordinator, ServiceOutage, BucketSlow:
		return 5
	case MessageDoubled, MessageReordered:
		return 200_000
	case MessageLost, MarkerLate:
		return 300_000
	case MessageDelayed:
		return 150_000
	case DiskLost, DiskTorn:
		return 1_000_000
	case DiskFull, DiskRot, DiskError, DiskSlow:
		return 400_000
	default:
		return 60_000
	}
}

// String is the profile as text: "crash-worker=3 message-lost=12000", or "calm".
func (p Profile) String() string {
	var out []string
	for k := range Kind(Kinds) {
		if p[k] != 0 {
			out = append(out, k.String()+"="+strconv.Itoa(p[k]))
		}
	}
	if len(out) == 0 {
		return "calm"
	}
	return strings.Join(out, " ")
}

// ParseProfile reads what String writes.
func ParseProfile(text string) (Profile, error) {
	var p Profile
	if strings.TrimSpace(text) == "calm" {
		return p, nil
	}
	for _, field := range strings.Fields(text) {
		name, number, _ := strings.Cut(field, "=")
		k, ok := ParseKind(name)
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 0 {
			return p, fmt.Errorf("fault profile: %q is not kind=number with a kind such as %q", field, CrashWorker)
		}
		p[k] = n
	}
	return p, nil
}
