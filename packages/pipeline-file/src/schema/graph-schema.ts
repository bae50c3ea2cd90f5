import { type Datatype, elementCount } from '@equipoise/core/model';
import { z } from 'zod';
import { count, fraction, nonNegative, positive, text, variantName, wholeNumber } from './scalars.js';
import { tensorTypeSchema } from './source-schema.js';

const MEAN_TOLERANCE = 0.01;

/** Mean of a distribution. Divides by the sum, because fractions may be rounded. */
function meanItems(distribution: readonly number[]): number {
  const sum = distribution.reduce((total, share) => total + share, 0);
  return distribution.reduce((total, share, items) => total + items * share, 0) / sum;
}

/** Each item of a stage gets a constant, so constants are small. */
const MOST_CONSTANT_ELEMENTS = 4096;

const LARGEST: Readonly<Record<string, number>> = { FP16: 65_504, FP32: 3.4028234663852886e38 };

/** Range of the numbers of a data type. Integers beyond ±(2^53 − 1) are not exact in a file. */
function rangeOf(datatype: Datatype): { readonly lowest: number; readonly highest: number; readonly whole: boolean } {
  const [, unsigned, bits] = /^(U?)INT(\d+)$/.exec(datatype) ?? [];
  if (bits === undefined) {
    const highest = LARGEST[datatype] ?? Number.MAX_VALUE;
    return { lowest: -highest, highest, whole: false };
  }
  const span = unsigned === 'U' ? 2 ** Number(bits) : 2 ** (Number(bits) - 1);
  const highest = Math.min(span - 1, Number.MAX_SAFE_INTEGER);
  return { lowest: unsigned === 'U' ? 0 : Math.max(-span, Number.MIN_SAFE_INTEGER), highest, whole: true };
}

/** Expected elements in words, or undefined if the element is one. */
function expectedInstead(datatype: Datatype, element: number | boolean | string): string | undefined {
  if (datatype === 'BYTES') return typeof element === 'string' ? undefined : 'text';
  if (datatype === 'BOOL') return typeof element === 'boolean' ? undefined : 'true or false';
  const { lowest, highest, whole } = rangeOf(datatype);
  const fits = typeof element === 'number' && element >= lowest && element <= highest;
  return fits && (!whole || Number.isInteger(element))
    ? undefined
    : `a ${whole ? 'whole ' : ''}number from ${lowest} to ${highest}`;
}

const constantSchema = z
  .strictObject({
    datatype: tensorTypeSchema.shape.datatype,
    shape: z.array(wholeNumber()).describe('Sizes of the dimensions; an empty list for a single value.'),
    data: z
      .array(z.union([z.number(), z.boolean(), z.string()]))
      .max(MOST_CONSTANT_ELEMENTS)
      .describe('Elements in row-major order: numbers, `true` and `false` for `BOOL`, or text for `BYTES`.'),
  })
  .check(({ value: { datatype, shape, data }, issues }) => {
    const wanted = elementCount(shape);
    if (data.length !== wanted) {
      const message = `expected as many elements as the shape has, ${wanted}`;
      issues.push({ code: 'custom', input: data, path: ['data'], message });
    }
    for (const [index, element] of data.entries()) {
      const expected = expectedInstead(datatype, element);
      if (expected === undefined) continue;
      const message = `expected ${expected} as element of ${datatype}`;
      issues.push({ code: 'custom', input: element, path: ['data', index], message });
      return;
    }
  });

const edgeInputSchema = z.strictObject({
  name: text().describe('Name of the tensor in the stage that the edge enters.'),
  from: text()
    .optional()
    .describe(
      'Output tensor of the stage that the edge leaves, or `source.TENSOR` for a declared tensor of the request. Default: the output tensor `name`.',
    ),
  constant: constantSchema.optional().describe('The same tensor for every item, in place of `from`.'),
});

/** A value, or values by the variant of the stage that the edge leaves. */
const byVariant = <T extends z.ZodNumber>(value: T) => z.union([value, z.record(variantName(), value)]);

const MOST_THRESHOLDS = 16;
const MOST_QUORUMS = 16;

/** A value or a list with one value per threshold, or these by variant of the stage that the edge leaves. */
const byChoice = <T extends z.ZodNumber>(value: T) =>
  z.union([value, z.array(value), z.record(variantName(), z.union([value, z.array(value)]))]);

export const edgeSchema = z.strictObject({
  from: text().describe('Name of the stage that the edge leaves.'),
  to: text().describe('Name of the stage that the edge enters.'),
  fanOut: z
    .strictObject({
      expected: byVariant(positive()).describe(
        'Mean number of items, or the mean by variant of the stage that the edge leaves. It applies until the mean is learned from traffic.',
      ),
      distribution: z
        .array(nonNegative())
        .min(2)
        .optional()
        .describe(
          'Fractions of the results that become 0, 1, 2 … items, in this order. The mean number of items must be `expected`. Simulations draw from this distribution. Default: the distribution with this mean and the smallest spread.',
        ),
    })
    .check(({ value: { expected, distribution }, issues }) => {
      if (distribution === undefined) return;
      if (typeof expected === 'object') {
        issues.push({
          code: 'custom',
          input: distribution,
          path: ['distribution'],
          message: 'expected no distribution, because "expected" gives a mean for each variant',
        });
        return;
      }
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
    .describe('Turns one result into any number of items for the next stage.'),
  join: z
    .union([
      z.enum(['all', 'any']),
      z.strictObject({
        quorum: z
          .union([
            count(),
            z
              .array(count())
              .min(1)
              .check(({ value, issues }) => {
                if (value.length <= MOST_QUORUMS) return;
                issues.push({ code: 'custom', input: value, message: `expected at most ${MOST_QUORUMS} quorums` });
              }),
          ])
          .describe(
            'Number of items or edges to wait for. If fewer exist, the join waits for all of them. Skipped parts do not count, nor do lost parts with `onMissing: partial`. From a list of ascending values, at most 16, each plan chooses one, at a join of several edges. The accuracy with each must be measured.',
          ),
      }),
    ])
    .optional()
    .describe(
      'On the only edge into a stage, a join merges items of the innermost fan-out: `all` merges all items, `any` the first item, `{ quorum: k }` the first k items to arrive. A stage with several incoming edges waits for all or, if every edge has the join `any` or the same `{ quorum: k }`, for the first or the first k. There, too, `all` on an edge merges the items of this edge.',
    ),
  onMissing: z
    .enum(['fail', 'partial'])
    .optional()
    .describe(
      'Effect if an awaited part (an item, or the result of an edge) is dropped or fails. Allowed on a `join: all` edge, or if several edges lead into a stage. `fail` (default) ends the request. With `partial` the stage continues with the parts that arrive, if any, and the answer names the missing parts.',
    ),
  when: z
    .strictObject({
      condition: text().describe(
        'CEL expression that is true or false. `output.NAME` is an output tensor of the stage that the edge leaves: a single value if the tensor has no dimensions, otherwise nested lists. `shape.NAME` is the list of the dimensions of this tensor.',
      ),
      threshold: z
        .union([
          z.number(),
          z
            .array(z.number())
            .min(1)
            .check(({ value, issues }) => {
              if (value.length <= MOST_THRESHOLDS) return;
              const message = `expected at most ${MOST_THRESHOLDS} thresholds`;
              issues.push({ code: 'custom', input: value, message });
            }),
        ])
        .optional()
        .describe(
          'Value of `threshold` in the condition. From a list of ascending values, at most 16, each plan chooses one. All edges with thresholds that leave a stage list the same ones. The accuracy at each must be measured.',
        ),
      probability: byChoice(fraction()).describe(
        'Escalation probability: the fraction of outputs that take the edge, a list with one fraction per threshold, or these by variant of the stage that the edge leaves. It applies until the fraction is learned from traffic.',
      ),
    })
    .optional()
    .describe(
      'The edge is taken only if the condition is true. If several `when` edges leave a stage, only the first edge in the file whose condition is true is taken. A stage that gets no input is skipped.',
    ),
  inputs: z
    .array(edgeInputSchema)
    .min(1)
    .optional()
    .describe(
      'Tensors that the edge passes on, under names of your choice. A fan-out cuts the output tensors and a join stacks them; tensors of the request and constants stay whole. Behind several edges these names have no prefix. Default: all output tensors of the stage.',
    ),
});

export const outputSchema = z.strictObject({
  from: text().describe(
    'Name of a stage whose tensors are part of the response. For a stage inside a fan-out, the response has the tensors of all items, stacked in the order of the items. A skipped stage is omitted, and so is a stage inside a fan-out without items. If several outputs of an answer have a tensor of the same name, their names get the prefix `STAGE.`.',
  ),
  unless: text()
    .optional()
    .describe(
      'Name of another output stage. If that stage ran, this output is omitted. So a cascade answers from the last stage that ran.',
    ),
  tensors: z.array(text()).min(1).optional().describe('Names of the tensors to return. Default: all tensors.'),
  types: z
    .array(tensorTypeSchema)
    .min(1)
    .optional()
    .describe(
      'Types of these tensors, so that the metadata of the model has them before the first answer. If an answer lacks a tensor, or the tensor has another type, the request fails.',
    ),
});
