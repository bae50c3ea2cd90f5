/** Expected values: by hand, or where stated, of scikit-learn 1.x and jiwer 4.x. */
import type { Tensor, TensorMap } from '@equipoise/core/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { metricScore } from './metric-score.js';

type Metric = Parameters<typeof metricScore>[0];

const fp32 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor => ({
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const int64 = (...values: number[]): Tensor => ({
  datatype: 'INT64',
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});
const texts = (...data: string[]): Tensor => ({ datatype: 'BYTES', shape: [data.length], data });

const sample = (answer: Tensor | TensorMap, label: unknown) => ({
  outputs: 'datatype' in answer ? { answer: answer as Tensor } : (answer as TensorMap),
  label,
});
type Sample = ReturnType<typeof sample>;

const classes = (answers: readonly number[], labels: readonly unknown[]): Sample[] =>
  answers.map((answer, index) => sample(int64(answer), labels[index]));

const ranked = [
  sample(fp32([0.5, 0.2, 0.2], [1, 3]), 0),
  sample(fp32([0.3, 0.4, 0.2], [1, 3]), 1),
  sample(fp32([0.2, 0.4, 0.3], [1, 3]), 2),
  sample(fp32([0.7, 0.2, 0.1], [1, 3]), 2),
];

/** Overlap of [0, 0, 10, 10] with [5, 0, 15, 10] is 1/3, with [2, 0, 12, 10] 2/3. */
const square = { box: [0, 0, 10, 10], class: 'cat' };
const boxes = (scores: readonly number[], names: readonly string[], ...corners: number[]): TensorMap => ({
  boxes: fp32(corners, [corners.length / 4, 4]),
  scores: fp32(scores),
  names: texts(...names),
});
const ofBoxes: Metric = { kind: 'box-f1', output: 'boxes', boxClasses: 'names', boxScores: 'scores' };

describe('metricScore', () => {
  it.each<[string, Metric, Sample[], number]>([
    ['accuracy of numbers', { kind: 'accuracy' }, classes([0, 2, 2, 1], [0, 1, 2, '1']), 3 / 4],
    ['accuracy of texts', { kind: 'accuracy' }, [sample(texts('a'), 'a'), sample(texts('b'), 'a')], 1 / 2],
    ['accuracy of scores, the first of equal ones', { kind: 'accuracy' }, [sample(fp32([1, 3, 3]), 1)], 1],
    // numpy: float16([1.5, −2, 2⁻²⁴, 0.1]).view(uint16)
    [
      'errors of half floats',
      { kind: 'mae', scale: 1 },
      [sample({ h: { datatype: 'FP16', shape: [4], data: Uint16Array.of(0x3e00, 0xc000, 1, 0x2e66) } }, [1, -2, 0, 0])],
      1 - (0.5 + 2 ** -24 + 0.0999755859375) / 4,
    ],
    [
      'half floats without end and without a number',
      { kind: 'accuracy' },
      [sample({ h: { datatype: 'FP16', shape: [3], data: Uint16Array.of(0x7e00, 0xfc00, 0x7c00) } }, 2)],
      1,
    ],
    ['accuracy without a number', { kind: 'accuracy' }, [sample(fp32([Number.NaN, -1]), 1)], 1],
    ['accuracy of booleans', { kind: 'accuracy' }, classes([1, 0], [true, true]), 1 / 2],
    [
      'accuracy of named classes',
      { kind: 'accuracy', classes: ['cat', 'dog'] },
      [sample(fp32([0.1, 0.9]), 'dog'), sample(int64(0), 'cat'), sample(texts('dog'), 1), sample(int64(1), '0')],
      3 / 4,
    ],
    [
      'class labels of tables',
      { kind: 'accuracy' },
      [...classes([1, 1, 1, -1], ['1.0', ' 1', '+1 ', '-1.']), sample(texts('1'), '1.0')],
      4 / 5,
    ],
    [
      'booleans of tables',
      { kind: 'accuracy' },
      ['true', 'FALSE', '1', 'false'].map((label, index) =>
        sample({ b: { datatype: 'BOOL', shape: [1], data: Uint8Array.of(index % 2 === 0 ? 1 : 0) } }, label),
      ),
      1,
    ],
    [
      'names with spaces',
      { kind: 'accuracy', classes: ['a', ' b'] },
      [sample(int64(1), ' b'), sample(int64(0), ' a ')],
      1,
    ],
    ['accuracy without items', { kind: 'accuracy', output: 'y' }, [sample({}, 1), sample({ y: int64(1) }, 1)], 1 / 2],
    ['top-k without items', { kind: 'top-k' }, [sample({}, 1)], 0],
    ['macro F1 without items', { kind: 'f1-macro' }, [sample({}, 1), sample(int64(1), 1)], 2 / 3],
    ['words without items', { kind: 'wer' }, [sample({}, 'a b'), sample(texts('a b'), 'a b')], 1 / 2],
    [
      'boxes without items',
      ofBoxes,
      [sample({}, [square]), sample(boxes([1], ['cat'], 0, 0, 10, 10), [square])],
      2 / 3,
    ],
    ['numbers without items', { kind: 'mae', scale: 4 }, [sample({}, []), sample({}, 9), sample(int64(3), 3)], 1 / 2],
    ['squares without items', { kind: 'rmse', scale: 4 }, [sample({}, 9)], 0],
    // sklearn.metrics.top_k_accuracy_score(..., k=2)
    ['top-k of scores', { kind: 'top-k', k: 2 }, ranked, 0.75],
    ['top-k of lists', { kind: 'top-k', k: 2 }, [sample(texts('a', 'b', 'c'), 'b'), sample(int64(4, 5, 6), 6)], 1 / 2],
    // sklearn.metrics.f1_score([0, 1, 1, 0, 1, 1], [0, 1, 0, 1, 1, 0])
    ['F1 of class 1', { kind: 'f1' }, classes([0, 1, 0, 1, 1, 0], [0, 1, 1, 0, 1, 1]), 4 / 7],
    ['F1 of a named class', { kind: 'f1', positive: 'a' }, [sample(texts('a'), 'a'), sample(texts('a'), 'b')], 2 / 3],
    [
      'scores of classes that are called by other numbers, such as stars',
      { kind: 'accuracy', classes: ['1', '2', '3'] },
      [
        sample(fp32([9, 0, 0]), '1'),
        sample(fp32([0, 9, 0]), '2'),
        sample(fp32([0, 9, 0]), '1'),
        sample(fp32([0, 0, 9]), '3'),
      ],
      3 / 4,
    ],
    ['F1 of a named class 1', { kind: 'f1', classes: ['no', 'yes'] }, classes([1, 1], [1, 'no']), 2 / 3],
    [
      'F1 of a class by number',
      { kind: 'f1', classes: ['no', 'yes'], positive: '0' },
      classes([0, 0, 1], ['no', 1, 1]),
      2 / 3,
    ],
    ['F1 without a positive', { kind: 'f1' }, classes([0, 0], [0, 0]), Number.NaN],
    // sklearn.metrics.f1_score([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2], average='macro')
    ['macro F1', { kind: 'f1-macro' }, classes([0, 0, 2, 2, 0, 2], [2, 0, 2, 2, 0, 1]), (4 / 5 + 0 + 4 / 6) / 3],
    // jiwer.wer('hello world', 'hello duck') = 0.5, jiwer.cer(...) = 5 / 11
    ['word errors', { kind: 'wer' }, [sample(texts('hello duck'), 'hello world')], 1 - 0.5],
    ['character errors', { kind: 'cer' }, [sample(texts('hello duck'), 'hello world')], 1 - 5 / 11],
    [
      'word errors of all samples, texts in parts',
      { kind: 'wer' },
      [sample(texts('a  b ', 'c'), ['a', 'b c']), sample(texts(''), 'd'), sample(texts('e'), '')],
      1 - 2 / 4,
    ],
    ['character errors by code point', { kind: 'cer' }, [sample(texts('😀b'), '😁b')], 1 / 2],
    ['more errors than words', { kind: 'wer' }, [sample(texts('a b c'), 'd')], 0],
    ['errors without a word', { kind: 'wer' }, [sample(texts(''), '')], Number.NaN],
    // sklearn.metrics.mean_absolute_error([3, -0.5, 2, 7], [2.5, 0, 2, 8]) = 0.5, root_mean_squared_error 0.6123724
    ['mean error', { kind: 'mae', scale: 2 }, [sample(fp32([2.5, 0]), [3, -0.5]), sample(fp32([2, 8]), [2, 7])], 0.75],
    [
      'root mean square error',
      { kind: 'rmse', scale: 2 },
      [sample(fp32([2.5, 0, 2], [3, 1]), [[3], [-0.5], [2]]), sample(int64(8), '7')],
      1 - Math.sqrt(0.375) / 2,
    ],
    ['an error above the scale', { kind: 'mae', scale: 2 }, [sample(int64(9), 3)], 0],
    ['an answer that is no number', { kind: 'rmse', scale: 2 }, [sample(fp32([Number.NaN]), 3)], 0],
    ['boxes that overlap', ofBoxes, [sample(boxes([1], ['cat'], 2, 0, 12, 10), [square])], 1],
    ['boxes that overlap too little', ofBoxes, [sample(boxes([1], ['cat'], 5, 0, 15, 10), [square])], 0],
    ['a lower bar', { ...ofBoxes, iou: 0.3 }, [sample(boxes([1], ['cat'], 5, 0, 15, 10), [square])], 1],
    ['a box of another class', ofBoxes, [sample(boxes([1], ['dog'], 0, 0, 10, 10), [square])], 0],
    ['boxes of one class', { kind: 'box-f1', output: 'boxes' }, [sample(boxes([1], ['?'], 0, 0, 10, 10), [square])], 1],
    [
      'a label that is taken once, by the best answer',
      ofBoxes,
      [
        // The better answer takes the only label that the other one overlaps.
        sample(boxes([0.4, 0.9], ['cat', 'cat'], 0, 0, 10, 10, 2, 0, 12, 10), [
          square,
          { box: [50, 50, 60, 60], class: 'cat' },
        ]),
        sample(boxes([], []), [square]),
      ],
      2 / (2 + 3),
    ],
    ['no boxes', ofBoxes, [sample(boxes([], []), [])], Number.NaN],
  ])('%s', (_, metric, samples, expected) => {
    const score = metricScore(metric);
    // The second time all comparisons are known. A resample repeats samples.
    for (const drawn of [samples, [...samples, ...samples]])
      expect(score(drawn)).toEqual(Number.isNaN(expected) ? Number.NaN : expect.closeTo(expected, 9));
  });

  it('reads each label once, however often it scores a sample', () => {
    let reads = 0;
    const counted = {
      ...sample(int64(1), 1),
      get label() {
        reads += 1;
        return 1;
      },
    };
    const score = metricScore({ kind: 'accuracy' });
    expect([score([counted]), score([counted, counted])]).toEqual([1, 1]);
    expect(reads).toBe(1);
  });

  it('counts the fewest insertions, deletions and substitutions of words', () => {
    const words = fc.array(fc.constantFrom('a', 'bb', 'ccc', '😀'), { maxLength: 80 });
    fc.assert(
      fc.property(
        words,
        fc.array(fc.constantFrom('a', 'bb', 'x'), { minLength: 1, maxLength: 80 }),
        (answer, label) => {
          const score = metricScore({ kind: 'wer' })([sample(texts(answer.join(' ')), label.join('\n'))]);
          expect(score).toBeCloseTo(Math.max(0, 1 - fewestEdits(answer, label) / label.length), 9);
        },
      ),
      { seed: 5, numRuns: 100 },
    );
  });

  it.each<[string, Metric, Sample, string, RegExp]>([
    [
      'several tensors',
      { kind: 'accuracy' },
      sample({ a: int64(1), b: int64(1) }, 1),
      'INVALID_PIPELINE',
      /output is not set, and the answer has a, b\.$/,
    ],
    [
      'another tensor',
      { kind: 'mae', scale: 1, output: 'b' },
      sample(int64(1), 1),
      'INVALID_PIPELINE',
      /has answer\.$/,
    ],
    [
      'a list of classes',
      { kind: 'f1' },
      sample(int64(1, 2), 1),
      'INVALID_PIPELINE',
      /is INT64 \[2\]; f1 needs one class/,
    ],
    [
      'scores of two inputs',
      { kind: 'top-k' },
      sample(fp32([1, 2, 3, 4], [2, 2]), 1),
      'INVALID_PIPELINE',
      /several inputs/,
    ],
    ['one score', { kind: 'accuracy' }, sample(fp32([0.5]), 1), 'INVALID_PIPELINE', /is 0\.5; accuracy needs a class/],
    ['values of another number', { kind: 'mae', scale: 1 }, sample(fp32([1, 2]), [1]), 'INVALID_PIPELINE', /1 values/],
    [
      'points for boxes',
      ofBoxes,
      sample({ ...boxes([1], ['a']), boxes: fp32([1, 2], [1, 2]) }, []),
      'INVALID_PIPELINE',
      /boxes \[n, 4\]/,
    ],
    [
      'fewer scores than boxes',
      ofBoxes,
      sample(boxes([], ['a'], 0, 0, 1, 1), []),
      'INVALID_PIPELINE',
      /boxScores has 0 values for 1 boxes/,
    ],
    [
      'texts that are too long',
      { kind: 'cer' },
      sample(texts('a'.repeat(40_000)), 'b'.repeat(40_000)),
      'INVALID_PIPELINE',
      /too many/,
    ],
    [
      'a class that is none',
      { kind: 'accuracy' },
      sample(int64(1), { of: 1 }),
      'FILE_UNREADABLE',
      /class, found \{ of: 1 \}/,
    ],
    ...['', ' ', '0x1', 'Cat', '2', 1.5].map((label): [string, Metric, Sample, string, RegExp] => [
      `the class "${label}" that is not listed`,
      { kind: 'accuracy', classes: ['cat', 'dog'] },
      sample(int64(1), label),
      'FILE_UNREADABLE',
      /in spec\.evaluation\.classes, found/,
    ]),
    ['a text that is none', { kind: 'wer' }, sample(texts('a'), 3), 'FILE_UNREADABLE', /a text, found 3/],
    ['a number that is none', { kind: 'mae', scale: 1 }, sample(int64(1), null), 'FILE_UNREADABLE', /found null/],
    ['a box without its class', ofBoxes, sample(boxes([], []), [{ box: [0, 0, 1, 1] }]), 'FILE_UNREADABLE', /"class"/],
    [
      'too many boxes',
      ofBoxes,
      sample(boxes(new Array(1000).fill(1), new Array(1000).fill('a'), ...new Array(4000).fill(1)), new Array(10_001)),
      'INVALID_PIPELINE',
      /1000 boxes and its label 10001, too many/,
    ],
    [
      'numbers in too many arrays',
      { kind: 'mae', scale: 1 },
      sample(int64(1), JSON.parse('['.repeat(20_000) + ']'.repeat(20_000))),
      'FILE_UNREADABLE',
      /number or an array/,
    ],
    ['a box that is none', ofBoxes, sample(boxes([], []), [{ box: [0, 0, 1] }]), 'FILE_UNREADABLE', /"box"/],
  ])('refuses %s', (_, metric, wrong, code, message) => {
    expect(() => metricScore(metric)([wrong])).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});

/** Wagner and Fischer's table. */
function fewestEdits(a: readonly string[], b: readonly string[]): number {
  let row = b.map((_, j) => j + 1);
  row.unshift(0);
  for (const [i, left] of a.entries()) {
    const next = [i + 1];
    for (const [j, right] of b.entries())
      next.push(
        Math.min((row[j + 1] as number) + 1, (next[j] as number) + 1, (row[j] as number) + Number(left !== right)),
      );
    row = next;
  }
  return row.at(-1) as number;
}
