import { z } from 'zod';
import { count, fraction, nonNegative, positive, text } from './scalars.js';

const MEAN_TOLERANCE = 0.01;

/** The fractions may be rounded. */
function meanItems(distribution: readonly number[]): number {
  const sum = distribution.reduce((total, share) => total + share, 0);
  return distribution.reduce((total, share, items) => total + items * share, 0) / sum;
}

/** One entry of `spec.edges`. */
export const edgeSchema = z.strictObject({
  from: text().describe('Name of the stage that the edge leaves.'),
  to: text().describe('Name of the stage that the edge enters.'),
  fanOut: z
    .strictObject({
      expected: positive().describe('Mean number of items until it is learned from traffic.'),
      distribution: z
        .array(nonNegative())
        .min(2)
        .optional()
        .describe(
          'Fraction of the results that become 0, 1, 2 … items, in this order; their mean is `expected`. Simulations draw from it. Default: the smallest spread with that mean.',
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
    .describe('Turns one result into several items of the next stage.'),
  join: z
    .union([
      z.enum(['all', 'any']),
      z.strictObject({
        quorum: count().describe('Number of parts to wait for; fewer if fewer can still arrive.'),
      }),
    ])
    .optional()
    .describe(
      '`all`: merges the items of the innermost fan-out when all have arrived. `any` and `{ quorum: k }` on the only edge into a stage: when the first (k) have arrived. On several edges into a stage, which must agree: the stage waits for the first (k) of these edges.',
    ),
  onMissing: z
    .enum(['fail', 'partial'])
    .optional()
    .describe(
      'For a `join: all` edge, and for several edges into one stage: the effect of a part that is dropped or fails. `fail` (default) ends the request. With `partial` the stage continues with the parts that arrive, if any do, and the answer names the missing ones.',
    ),
  when: z
    .strictObject({
      condition: text().describe(
        'CEL expression that is true or false. `output.NAME` is an output tensor of the stage: a value if it has no dimensions, else a list nested like its shape. `shape.NAME` is its shape, a list.',
      ),
      probability: fraction().describe(
        'Escalation probability, the fraction of outputs that take the edge, until it is learned from traffic.',
      ),
    })
    .optional()
    .describe(
      'Takes the edge only if the condition holds. Of several `when` edges out of a stage, the first in the file whose condition holds is taken. A stage without inputs is skipped.',
    ),
});

/** One entry of `spec.outputs`. */
export const outputSchema = z.strictObject({
  from: text().describe(
    'Name of a stage whose tensors are part of the response. Inside a fan-out it answers with the tensors of all items, stacked in their order; a skipped stage is omitted.',
  ),
  unless: text()
    .optional()
    .describe(
      'Name of another output stage: if that one ran, this one is omitted. So a cascade answers from the last stage that ran.',
    ),
  tensors: z.array(text()).min(1).optional().describe('Names of the tensors to return. Default: all.'),
});
