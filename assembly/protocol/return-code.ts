/** ReturnCode (MQTT-SN 1.2, 5.3.10, table 5). */
export const enum ReturnCode {
  Accepted = 0x00,
  Congestion = 0x01,
  InvalidTopicId = 0x02,
  NotSupported = 0x03,
  // 0x04-0xff reserved
}
