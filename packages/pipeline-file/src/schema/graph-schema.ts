/** Edges between stages, and outputs. */
import { z } from 'zod';
import { count, fraction, nonNegative, positive, text } from './scalars.js';

/** Relative tolerance of a rounded mean. */
const MEAN_TOLERANCE = 0.01;

/** Mean items of a distribution whose fractions may be rounded. */
function meanItems(distribution: readonly number[]): number {
  const sum = distribution.reduce((total, share) => total + share, 0);
  return distribution.reduce((total, share, items) => total + items * share, 0) / sum;
}

/** One entry of `spec.edges`. */
export const edgeSchema = z.strictObject({
  from: text().describe('Name of the stage that the edge leaves.'),
  to: text().describe('Name of the stage that it leads to.'),
  fanOut: z
    .strictObject({
      expected: positive().describe('Mean number of items until it is learned from traffic.'),
      distribution: z
        .array(nonNegative())
        .min(2)
        .optional()
        .describe(
          'Fraction of the results that become 0, 1, 2 … items, in this order; their mean is `expected`. Simulations draw from it. Left out: as little spread as the mean allows.',
        ),
    })
    .check(({ value: { expected, distribution }, issues }) => {
      if (distribution === undefined) return;
      const mean = meanItems(distribution);
      if (Math.abs(mean - expected) <= MEAN_TOLERANCE * expected) return;
      issues.push({
        code: 'custom',
        input: distribution,
        path: ['distribution'],
        message: `expected fractions whose mean is "expected" (${expected}), found a mean of ${mean.toFixed(3)}`,
      });
    })
    .optional()
    .describe('One result becomes several items, each an item of its own at the next stage.'),
  join: z
    .union([
      z.enum(['all', 'any']),
      z.strictObject({
        quorum: count().describe('How many parts to wait for; fewer where fewer can still come.'),
      }),
    ])
    .optional()
    .describe(
      '`all`: the items of the innermost fan-out become one again when all have arrived. `any` and `{ quorum: k }` on the only edge into a stage: when the first (k) have. On the edges into a stage that has several, all the same: the stage waits for the first (k) of these edges.',
    ),
  onMissing: z
    .enum(['fail', 'partial'])
    .optional()
    .describe(
      'On a `join: all` edge and on the edges into a stage that has several. What becomes of a request when something on the way here is dropped or fails: `fail` (as when left out) ends it, too; with `partial` the stage goes on with what comes, if anything does, and the answer names what is missing.',
    ),
  when: z
    .strictObject({
      condition: text().describe(
        'CEL expression that is true or false. `output.NAME` is a tensor that the stage gave: a value where it has no dimensions, else a list nested like its shape; `shape.NAME` is its shape, a list.',
      ),
      probability: fraction().describe('Share of the outputs that take the edge until it is learned from traffic.'),
    })
    .optional()
    .describe(
      'Takes the edge only if the condition holds. Of the `when` edges that leave a stage the first that holds is taken, in the order of the file. A stage to which nothing comes is skipped.',
    ),
});

/** One entry of `spec.outputs`. */
export const outputSchema = z.strictObject({
  from: text().describe(
    'Name of a stage whose tensors are part of the response. Inside a fan-out it answers with the tensors of all items, stacked in their order; a stage that was skipped is left out.',
  ),
  unless: text()
    .optional()
    .describe(
      'Name of a stage that answers, too: where that one ran, this one is left out. So a cascade answers from the last stage that ran.',
    ),
  tensors: z.array(text()).min(1).optional().describe('Names of the tensors to return. Left out: all.'),
});
