/** What was found about the bars that are missed; belongs to the results beside it and is written after them. */

/** A paragraph of the report, empty while nothing is to be said. */
export const whyMissed = '';
