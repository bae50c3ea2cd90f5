/**
 * End-to-end quality of shelf-scan for `equipoise evaluate`: F1 over all scenes. Answers, best first, each take the
 * nearest free garment within 10 px. An answer is right if the classes agree. A wrong class at the right place counts
 * twice: as a false answer and as a missed garment.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TensorMap } from '@equipoise/core';
import { garmentLabels } from './vision/labels.js';

const tolerancePx = 10;

/** Garment of a scene: center and side of its frame in px, index of its class. */
export interface LabeledObject {
  readonly x: number;
  readonly y: number;
  readonly side: number;
  readonly label: number;
}

interface Answer {
  readonly x: number;
  readonly y: number;
  readonly score: number;
  readonly label: string;
}

/** Labeled scenes of `dataDir`: JPEG bytes as input, garments as label. */
export async function loadSamples(dataDir: string): Promise<{ inputs: TensorMap; label: LabeledObject[] }[]> {
  const scenes = JSON.parse(await readFile(join(dataDir, 'labels.json'), 'utf8')) as {
    file: string;
    objects: LabeledObject[];
  }[];
  return Promise.all(
    scenes.map(async ({ file, objects }) => {
      const bytes = new Uint8Array(await readFile(join(dataDir, file)));
      return { inputs: { image: { datatype: 'UINT8', shape: [bytes.length], data: bytes } }, label: objects };
    }),
  );
}

/** F1 in 0…1 over all scenes; `outputs` come from stage `count`. */
export function score(samples: readonly { outputs: TensorMap; label: unknown }[]): number {
  let right = 0;
  let answered = 0;
  let present = 0;
  for (const { outputs, label } of samples) {
    const objects = label as LabeledObject[];
    const answers = answersOf(outputs);
    right += rightAnswers(answers, objects);
    answered += answers.length;
    present += objects.length;
  }
  return answered + present === 0 ? 1 : (2 * right) / (answered + present);
}

function answersOf(outputs: TensorMap): Answer[] {
  const labels = (outputs['labels']?.data ?? []) as readonly string[];
  const centers = (outputs['centers']?.data ?? []) as Float32Array;
  const scores = (outputs['scores']?.data ?? []) as Float32Array;
  return labels.map((label, index) => ({
    x: centers[2 * index] ?? Number.NaN,
    y: centers[2 * index + 1] ?? Number.NaN,
    score: scores[index] ?? 0,
    label,
  }));
}

function rightAnswers(answers: readonly Answer[], objects: readonly LabeledObject[]): number {
  const free = new Set(objects);
  let right = 0;
  for (const answer of [...answers].sort((a, b) => b.score - a.score)) {
    const nearest = nearestOf(answer, free);
    if (nearest === undefined || distancePx(answer, nearest) > tolerancePx) continue;
    free.delete(nearest);
    if (garmentLabels[nearest.label] === answer.label) right++;
  }
  return right;
}

function nearestOf(answer: Answer, objects: Iterable<LabeledObject>): LabeledObject | undefined {
  let nearest: LabeledObject | undefined;
  for (const object of objects) {
    if (nearest === undefined || distancePx(answer, object) < distancePx(answer, nearest)) nearest = object;
  }
  return nearest;
}

function distancePx(a: { x: number; y: number }, b: { x: number; y: number }): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
