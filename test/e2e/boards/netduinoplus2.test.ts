// The contract of boards, on an emulated Cortex-M4, with a broker of other people's making.
import { describeBoard } from './contract.js';

describeBoard('netduinoplus2', 'mosquitto');
