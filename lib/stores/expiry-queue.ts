// Which entry expires first: a binary heap whose members know their place, so that any of them can leave.

/** What stands in an {@link ExpiryQueue}. */
export interface Expiring {
  readonly expiresAt: number
  /** Kept by the queue. */
  place: number
}

/** Adding, removing and asking for the first take at most log n steps; adding in order of expiry takes one. */
export class ExpiryQueue<Member extends Expiring> {
  readonly #members: Member[] = []

  get first(): Member | undefined {
    return this.#members[0]
  }

  get size(): number {
    return this.#members.length
  }

  add(member: Member): void {
    this.#members.push(member)
    this.#rise(member, this.#members.length - 1)
  }

  remove(member: Member): void {
    const last = this.#members.pop() as Member
    if (last === member) return
    this.#rise(last, member.place)
    this.#sink(last)
  }

  #rise(member: Member, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#members[above] as Member
      if (parent.expiresAt <= member.expiresAt) break
      this.#set(parent, place)
      place = above
    }
    this.#set(member, place)
  }

  #sink(member: Member): void {
    let { place } = member
    for (;;) {
      let below = 2 * place + 1
      const left = this.#members[below]
      if (left === undefined) break
      const right = this.#members[below + 1]
      let child = left
      if (right !== undefined && right.expiresAt < left.expiresAt) {
        child = right
        below++
      }
      if (child.expiresAt >= member.expiresAt) break
      this.#set(child, place)
      place = below
    }
    this.#set(member, place)
  }

  #set(member: Member, place: number): void {
    this.#members[place] = member
    member.place = place
  }
}
