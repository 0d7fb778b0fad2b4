exception NoSuchDay {
  1: string day
}

service Diary {
  /** How many lines the day has with this one. */
  i32 write(1: string day, 2: string line)

  /** Nobody waits for it. */
  oneway void jot(1: string day, 2: string line)

  /** At most `most` lines, beginning with number `first`; none: that was all. */
  list<string> read(1: string day, 2: i32 first, 3: i32 most) throws (1: NoSuchDay missing)
}
