// Package faults says what goes wrong, and when: seeded draws in streams by purpose, profiles per seed, faults with an identity that replays.
//
// A seed draws a Profile: which families of faults are on, and how often each strikes. A profile and a seed make an
// Injector. The world consults it at every occasion; each kind counts its own occasions, and what happens at occasion
// n of kind k is a pure function of (seed, k, n). So a fault has a name, "message-lost#41", that stays its name when
// other faults are taken away: that is what a shrink needs, and Injector.Only replays a list of such names.
package faults
