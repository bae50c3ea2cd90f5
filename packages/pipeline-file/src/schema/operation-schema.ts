/** How the pipeline is run: control loop, queues, evaluation. */
import { z } from 'zod';
import { fieldDefaults } from '../field-defaults.js';
import { count, nonNegative, positive, text } from './scalars.js';

/** `spec.control`. */
export const controlSchema = z
  .strictObject({
    mode: z
      .enum(['auto', 'advise', 'off'])
      .default(fieldDefaults.controlMode)
      .describe('`auto` plans and acts, `advise` plans and changes nothing, `off` never plans.'),
    intervalMs: positive().default(fieldDefaults.intervalMs).describe('Time between two plans, in milliseconds.'),
    minDwellMs: nonNegative()
      .default(fieldDefaults.minDwellMs)
      .describe("Least time between two switches of a stage's variant, in milliseconds."),
    surge: z
      .strictObject({
        cpuCores: nonNegative().describe('Cores above the budget while old and new replicas overlap.'),
      })
      .optional()
      .describe(
        'What a change may use above the budget for a while. Not kept yet: a change starts all new replicas of a stage beside the old.',
      ),
  })
  .prefault({})
  .describe('How the control loop acts.');

/** `spec.admission`. */
export const admissionSchema = z
  .strictObject({
    maxQueueLength: count()
      .default(fieldDefaults.maxQueueLength)
      .describe('Most items queued at one stage; a request that finds the queue full is dropped.'),
  })
  .prefault({})
  .describe('Bounds on what waits.');

/** `spec.evaluation`. */
export const evaluationSchema = z
  .strictObject({
    module: text().describe('Code that scores the answers; a path relative to this file.'),
    data: text().describe('Folder of labelled samples; a path relative to this file.'),
  })
  .optional()
  .describe('What `equipoise evaluate` measures end-to-end accuracy with.');
