import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, fraction, nonNegative, positive, text } from './scalars.js';

const MOST_PRIORITIES = 10;
/** Tolerance of a sum of rounded fractions. */
const SUM_TOLERANCE = 1e-6;

export const controlSchema = z
  .strictObject({
    mode: z
      .enum(['auto', 'advise', 'off'])
      .default(fieldDefaults.controlMode)
      .describe('`auto` plans and acts; `advise` plans but changes nothing; `off` does not plan.'),
    intervalMs: positive().default(fieldDefaults.intervalMs).describe('Time between two plans, in milliseconds.'),
    fastIntervalMs: positive()
      .default(fieldDefaults.fastIntervalMs)
      .describe(
        'Time between two checks for bursts, in milliseconds. If a check finds a burst, capacity is added at once.',
      ),
    minDwellMs: nonNegative()
      .default(fieldDefaults.minDwellMs)
      .describe(
        "Minimum time between two switches of a stage's variant, in milliseconds. Each improvement that had to be undone in the last 20 minutes makes this time 4 times as long. Switches that the SLO requires do not wait.",
      ),
    canary: z
      .boolean()
      .default(fieldDefaults.canary)
      .describe(
        'A variant that has not served before gets 10 %, then 50 %, then all of the requests, and is rolled back if it performs worse. A stage switches without a canary if it has `idempotent: false`, or if the replicas of the first step do not fit next to the old ones.',
      ),
    surge: z
      .strictObject({
        cpuCores: nonNegative().describe('Number of cores above the budget while old and new replicas overlap.'),
        maxSeconds: positive()
          .optional()
          .describe(
            'On one machine: maximum time in which all replicas of a change, or of a canary step, must start. After this time the change fails, and the stage returns to its previous plan. Default: no limit.',
          ),
      })
      .optional()
      .describe(
        'Temporary use above the budget during a change. Default: the size of the largest replica in the old and new plans.',
      ),
  })
  .prefault({})
  .describe('Settings of the control loop.');

const prioritiesSchema = z
  .strictObject({
    shares: z
      .array(fraction())
      .min(1)
      .max(MOST_PRIORITIES)
      .default([...fieldDefaults.priorityShares])
      .describe(
        'Minimum share of each priority in the items that a stage starts, beginning with the most urgent priority (1). Shares apply while several priorities wait at the stage. The rest goes to the most urgent of these. The sum of the shares is at most 1.',
      ),
    default: count()
      .default(fieldDefaults.priority)
      .describe('Priority of requests without a priority, or with priority 0.'),
  })
  .check(({ value: { shares, default: priority }, issues }) => {
    const sum = shares.reduce((total, share) => total + share, 0);
    const problem = (message: string) => issues.push({ code: 'custom', input: shares, path: ['shares'], message });
    if (sum > 1 + SUM_TOLERANCE) problem(`expected shares whose sum is at most 1, found a sum of ${sum.toFixed(3)}`);
    if (priority > shares.length)
      problem(`expected at least ${priority} shares, so that the default priority has one, found ${shares.length}`);
  })
  .prefault({})
  .describe('Priorities of requests.');

export const admissionSchema = z
  .strictObject({
    maxQueueLength: count()
      .default(fieldDefaults.maxQueueLength)
      .describe(
        'Maximum number of items in the queue of a stage. If the queue is full, the last of the least urgent waiting requests is dropped if it is less urgent than the new request, otherwise the new request. A request fails if one of its fan-outs has more items than this number.',
      ),
    maxWaitFraction: fraction()
      .default(fieldDefaults.maxWaitFraction)
      .describe(
        "Maximum expected wait of a request at a stage with a standing queue, as a fraction of the request's slack: the time until its deadline minus its remaining work. Stages with later stages get a share of it. A request that would wait longer is dropped at once as `wait-too-long`; in a burst, only if it would wait longer than twice its slack. The rest of the slack is left for work that takes longer than expected.",
      ),
    answerMarginMs: nonNegative()
      .optional()
      .describe(
        'Margin before the deadline of a request, for delays and for sending the answer, in milliseconds. A request is dropped if it cannot complete before this margin. The margin takes at most half of the slack of a request (see `maxWaitFraction`). Default in `serve`: 2 % of `slo.latencyMs`, at most 10 ms. Default in simulations: 0.',
      ),
    maxInFlightBytes: count()
      .default(fieldDefaults.maxInFlightBytes)
      .describe(
        'Maximum size of the tensors of all requests in flight, with the outputs of their stages, in bytes. A request that would exceed this size is dropped at once. Outputs that wait for later stages may have this size, too; beyond it, their requests are dropped.',
      ),
    priorities: prioritiesSchema,
  })
  .prefault({})
  .describe('Limits for the admission of requests.');

/** Options of metrics that compare one answer with one label. */
export const metricOptions = {
  output: text()
    .optional()
    .describe('Tensor of the answer that `metric` compares with the label. Default: the only one.'),
  k: count()
    .optional()
    .describe('For `top-k`: an answer is right if the label is among the k best classes. Default: 5.'),
  iou: fraction().optional().describe('For `box-f1`: minimum intersection over union of a right box. Default: 0.5.'),
  boxClasses: text().optional().describe('For `box-f1`: tensor of the class of each box. Default: one class.'),
  boxScores: text()
    .optional()
    .describe('For `box-f1`: tensor of the score of each box. Default: the boxes are sorted, best first.'),
  scale: positive().optional().describe('For `rmse` and `mae`: error that scores 0, in the unit of the labels.'),
};

export const evaluationSchema = z
  .strictObject({
    data: text().describe('Folder of labelled samples: a path relative to this file.'),
    module: text()
      .optional()
      .describe(
        'Code that loads the samples and, without `metric`, scores the answers: a path relative to this file. Default: a `labels.json` or `labels.csv` in the data folder lists the samples.',
      ),
    metric: z
      .enum(['accuracy', 'top-k', 'f1', 'f1-macro', 'cer', 'wer', 'box-f1', 'rmse', 'mae'])
      .optional()
      .describe(
        'Score of the answers, a fraction 0…1: fraction of right answers (`accuracy`, `top-k`), F1 of one class (`f1`), mean F1 of all classes (`f1-macro`), 1 − error rate of characters or words (`cer`, `wer`), F1 of boxes (`box-f1`), 1 − error / `scale` (`rmse`, `mae`). Default: the score of `module`.',
      ),
    ...metricOptions,
    positive: text().optional().describe('For `f1`: the class that counts. Default: `1`.'),
    classes: z
      .array(text())
      .min(1)
      .optional()
      .describe('Names of the classes, if the answer holds scores or numbers of classes and the labels are names.'),
  })
  .optional()
  .describe('Data and code with which `equipoise evaluate` measures end-to-end accuracy.');

const MOST_FEEDBACK_REQUESTS = 1_000_000;

export const feedbackSchema = z
  .strictObject({
    maxRequests: count()
      .max(MOST_FEEDBACK_REQUESTS)
      .default(fieldDefaults.feedbackRequests)
      .describe(
        'Number of newest answers that are kept for feedback, in at most 64 MiB. Each item of a client batch counts.',
      ),
    maxAgeMs: positive()
      .default(fieldDefaults.feedbackMaxAgeMs)
      .describe('Time after an answer in which its feedback may come, in milliseconds.'),
  })
  .optional()
  .describe(
    'Clients may send the score of an answer later, or its label if `evaluation.metric` is set (`POST /v2/models/{pipeline}/feedback`). The server keeps the id and the variants of each answer, and with a metric its outputs. Default: feedback is refused.',
  );
