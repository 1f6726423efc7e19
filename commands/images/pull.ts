import { ForgeCommand } from '../../src/cli/base-command.js';
import { imageChoice, imageFlags, imagesText } from '../../src/cli/images.js';
import type { ImagesPullResult } from '../../src/cli/schemas.js';

export default class ImagesPull extends ForgeCommand<ImagesPullResult> {
  static override summary = 'Pull the container images that the stack needs and this machine lacks, several at once';
  static override examples = ['<%= config.bin %> <%= command.id %>'];
  static override flags = { ...imageFlags };

  async run(): Promise<ImagesPullResult> {
    const { flags } = await this.parse(ImagesPull);
    const { pullImages } = await import('../../src/lifecycle/images.js');
    return pullImages({ ...this.place(flags.workspace), ...imageChoice(flags), progress: (text) => this.output.live(text) });
  }

  protected override render(result: ImagesPullResult): string {
    return imagesText(result);
  }
}
