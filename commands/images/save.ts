import { Args } from '@oclif/core';
import { ForgeCommand } from '../../src/cli/base-command.js';
import { imageChoice, imageFlags } from '../../src/cli/images.js';
import type { ImagesSaveResult } from '../../src/cli/schemas.js';
import { size } from '../../src/cli/text.js';

export default class ImagesSave extends ForgeCommand<ImagesSaveResult> {
  static override summary = 'Write the container images of the stack to one file, for a machine without a network';
  static override examples = ['<%= config.bin %> <%= command.id %> images.tar'];
  static override args = { file: Args.string({ required: true, description: 'File to write' }) };
  static override flags = { ...imageFlags };

  async run(): Promise<ImagesSaveResult> {
    const { args, flags } = await this.parse(ImagesSave);
    const { saveStackImages } = await import('../../src/lifecycle/images.js');
    this.output.live(`writing ${args.file}`);
    return saveStackImages({ ...this.place(flags.workspace), ...imageChoice(flags), file: args.file });
  }

  protected override render({ file, bytes, images }: ImagesSaveResult): string {
    return `${images.length} images, ${size(bytes)}, are in ${file}\nOn the other machine: \`forge images load ${file}\`, then \`forge up --offline\``;
  }
}
