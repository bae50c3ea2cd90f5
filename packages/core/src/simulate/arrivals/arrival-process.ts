/** What every generator gives: the instants of a load, one after another, so that a day of load needs no list of requests. */

/** Instants in ms from 0, ascending; undefined when the load has ended. */
export interface ArrivalProcess {
  nextAtMs(): number | undefined;
}
