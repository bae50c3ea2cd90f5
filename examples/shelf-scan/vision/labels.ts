/** Classes of Fashion-MNIST; the index is the label in `data/labels.json` and the position in `probabilities`. */
export const garmentLabels = [
  't-shirt',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
] as const;
