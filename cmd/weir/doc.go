// Command weir hunts for bugs in the simulator, repeats what it found, and shows the whole thing at work.
package main
