// The contract of boards, on an emulated Cortex-M3.
import { describeBoard } from './contract.js';

describeBoard('stm32vldiscovery');
