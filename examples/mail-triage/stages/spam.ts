/** Rates a mail: `mail` BYTES [1] becomes `spam` FP32 [], the probability of spam. */
import { readFile } from 'node:fs/promises';
import { AppError, type LoadableVariant, type LoadedStage } from '@equipoise/core';
import { type FeatureKind, featuresOf } from '../spam/features.js';
import { modelFrom, spamProbability } from '../spam/linear-model.js';

/** Loads a model; its parameters name its features and the length of the text that it reads. */
export async function load({ name, artifactPath, parameters }: LoadableVariant): Promise<LoadedStage> {
  if (artifactPath === undefined) throw new AppError('MODEL_LOAD_FAILED', `Variant '${name}' needs an artifact.`);
  const model = modelFrom(await readFile(artifactPath));
  const kind = parameters['features'] as FeatureKind;
  const characters = Number(parameters['characters']);
  return {
    run: (batch) =>
      batch.map(({ mail }) => {
        const spam = spamProbability(model, featuresOf(String(mail?.data[0] ?? ''), kind, characters));
        return { spam: { datatype: 'FP32', shape: [], data: Float32Array.of(spam) } };
      }),
  };
}
