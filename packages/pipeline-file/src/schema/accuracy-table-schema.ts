/** End-to-end accuracies of variant combinations, inline or in a file that `equipoise evaluate` wrote. */
import { z } from 'zod';
import { count, fraction } from './scalars.js';

export const accuracyTableSchema = z
  .strictObject({
    combinations: z
      .array(
        z.strictObject({
          variants: z
            .record(z.string(), z.string())
            .describe('Variant name by stage name; stages with a single variant may be omitted.'),
          accuracy: fraction().describe('Measured end-to-end accuracy, a fraction 0…1.'),
          confidence95: z
            .array(fraction())
            .length(2)
            .optional()
            .describe('Lower and upper end of the 95 % interval of the accuracy.'),
          samples: count().optional().describe('Number of samples behind the accuracy.'),
          measured: z.boolean().optional().describe('True if measured, false if computed from parts.'),
        }),
      )
      .describe('Measured combinations.'),
    leftOut: z
      .strictObject({
        combinations: count().describe('Number of omitted combinations.'),
        reason: z.string().describe('Reason.'),
      })
      .optional()
      .describe('Combinations that `equipoise evaluate` did not measure, with reasons; for people.'),
  })
  .describe('Measured end-to-end accuracies; a measured combination overrides the product of the stages.');

export const accuracyTableFieldSchema = z
  .union([z.string().regex(/.\.json$/, 'expected a path ending in .json'), accuracyTableSchema])
  .optional()
  .describe(
    'Measured end-to-end accuracies, or a `.json` path relative to this file; a measured combination overrides the product.',
  );
