/**
 * Quorums of joins, by node. A change makes a new list, so a request keeps the list under which it entered.
 */

/** Undefined until a plan sets a quorum; undefined entries for nodes without one. */
export type QuorumsInForce = readonly (number | undefined)[] | undefined;

export function withQuorum(before: QuorumsInForce, node: number, quorum: number): QuorumsInForce {
  if (before?.[node] === quorum) return before;
  const after = [...(before ?? [])];
  after[node] = quorum;
  return after;
}
