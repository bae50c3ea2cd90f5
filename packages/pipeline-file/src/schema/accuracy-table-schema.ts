/** End-to-end accuracies of variant combinations, inline or in a file that `equipoise evaluate` wrote. */
import { z } from 'zod';
import { count, fraction, nonNegative } from './scalars.js';

export const accuracyTableSchema = z
  .strictObject({
    combinations: z
      .array(
        z.strictObject({
          variants: z
            .record(z.string(), z.string())
            .describe(
              'Variant name by stage name; stages with a single variant may be omitted. For a stage with several thresholds, `VARIANT at THRESHOLD`. For a stage that carries a choice of quorums, ` with quorum QUORUM` follows.',
            ),
          accuracy: fraction().describe('End-to-end accuracy, a fraction 0…1.'),
          confidence95: z
            .array(fraction())
            .length(2)
            .optional()
            .describe('Lower and upper end of the 95 % confidence interval of the accuracy.'),
          samples: count().optional().describe('Number of samples that gave the accuracy.'),
          measured: z
            .boolean()
            .optional()
            .describe('True if the accuracy was measured, false if it was computed from measured ones.'),
          verdict: z
            .enum(['kept', 'dropped', 'undecided'])
            .optional()
            .describe('Result of a search by `equipoise evaluate`, for people.'),
          droppedFor: z
            .record(z.string(), z.string())
            .optional()
            .describe('Combination that costs no more and is more accurate than this dropped one, for people.'),
        }),
      )
      .describe('Combinations with a measured or computed accuracy.'),
    modelError: fraction()
      .optional()
      .describe('Root mean square error of computed accuracies, found by computing each measured one from the others.'),
    productError: fraction()
      .optional()
      .describe('Root mean square error of the product of the accuracies of stages, for measured combinations.'),
    shares: z
      .array(
        z.strictObject({
          from: z.string().describe('Name of the stage that the edge leaves.'),
          to: z.string().describe('Name of the stage that the edge enters.'),
          variant: z
            .string()
            .describe(
              'Name of the variant of `from` that made the outputs; with several thresholds, `VARIANT at THRESHOLD`.',
            ),
          upstream: z
            .record(z.string(), z.string())
            .optional()
            .describe(
              'Variant name by name of an earlier stage, if the share was measured behind these variants. Default: the mean over all.',
            ),
          outputs: count().describe('Number of outputs. Shares of fewer than 20 outputs do not count.'),
          probability: fraction().optional().describe('Measured fraction of the outputs that take the `when` edge.'),
          expected: nonNegative().optional().describe('Measured mean number of items of the fan-out.'),
        }),
      )
      .optional()
      .describe(
        'Measured shares of edges by variant and threshold. They replace `when.probability` and `fanOut.expected`. A fan-out with a `distribution` keeps it.',
      ),
    agreements: z
      .array(
        z.strictObject({
          stage: z.string().describe('Name of the stage.'),
          variant: z.string().describe('Name of the variant that was compared.'),
          shadow: z.string().describe('Name of the variant of the `shadow`.'),
          agreement: fraction().describe('Mean score of the compared answers.'),
          confidence95: z
            .array(fraction())
            .length(2)
            .describe('Lower and upper end of the 95 % confidence interval of the agreement.'),
          items: count().describe('Number of compared answers.'),
        }),
      )
      .optional()
      .describe(
        'Measured agreement of variants with the `shadow` of their stage. A server expects it of the answers that it compares.',
      ),
    stageRuns: count().optional().describe('Number of items that stages ran for the measurement, for people.'),
    leftOut: z
      .strictObject({
        combinations: count().describe('Number of omitted combinations.'),
        reason: z.string().describe('Reason for omitting these combinations.'),
      })
      .optional()
      .describe('Combinations that `equipoise evaluate` did not measure, and the reason, for people.'),
  })
  .describe(
    'Measured end-to-end accuracies. A measured accuracy replaces the product of the accuracies of the stages.',
  );

export const accuracyTableFieldSchema = z
  .union([z.string().regex(/.\.json$/, 'expected a path ending in .json'), accuracyTableSchema])
  .optional()
  .describe(
    'Measured end-to-end accuracies, or the path of a `.json` file, relative to this file. A measured accuracy replaces the product of the accuracies of the stages.',
  );
