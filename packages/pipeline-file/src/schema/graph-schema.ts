/** How stages are connected and which of them answer. */
import { z } from 'zod';
import { positive, text } from './scalars.js';

/** One entry of `spec.edges`. */
export const edgeSchema = z.strictObject({
  from: text().describe('Name of the stage that the edge leaves.'),
  to: text().describe('Name of the stage that it leads to.'),
  fanOut: z
    .strictObject({
      expected: positive().describe('Mean number of items until it is learned from traffic.'),
    })
    .optional()
    .describe('One result becomes several items, each an item of its own at the next stage.'),
  join: z
    .enum(['all'])
    .optional()
    .describe('`all`: the items of the innermost fan-out become one again when all have arrived.'),
});

/** One entry of `spec.outputs`. */
export const outputSchema = z.strictObject({
  from: text().describe(
    'Name of a stage whose tensors are part of the response. Inside a fan-out it answers with the tensors of all items, stacked in their order.',
  ),
  tensors: z.array(text()).min(1).optional().describe('Names of the tensors to return. Left out: all.'),
});
