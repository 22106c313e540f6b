// One convolution or fully connected layer: reads entries, one a clock, decodes them as they come, and multiplies and
// accumulates. Only stored entries cost time. A fully connected layer is a convolution whose window is the whole input.
// Memories answer within the clock; a real one with registers needs a stage more.
`default_nettype none

module synapse_layer #(
    parameter IN_CHANNELS = 1, IN_HEIGHT = 1, IN_WIDTH = 1,
    parameter OUT_CHANNELS = 1, OUT_HEIGHT = 1, OUT_WIDTH = 1,
    parameter GROUPS = 1,
    parameter KERNEL_HEIGHT = 1, KERNEL_WIDTH = 1,
    parameter STRIDE_Y = 1, STRIDE_X = 1,
    parameter PAD_Y = 0, PAD_X = 0,
    parameter DILATION_Y = 1, DILATION_X = 1,
    parameter IN_BITS = 8, IN_SIGNED = 1,
    parameter OUT_BITS = 8, OUT_SIGNED = 1,
    parameter GAP_BITS = 4, CODE_BITS = 4,
    parameter ENTRIES = 1, ROW_BITS = 1,
    parameter CODEBOOK_WORDS = 0, CODEBOOK_BITS = 1,
    // 0 where there is no bias.
    parameter BIAS_BITS = 0, BIAS_SHIFT = 0,
    parameter ACCUMULATOR_BITS = 32, OUT_SHIFT = 0,
    parameter WEIGHTS_FILE = "", ROWS_FILE = "", CODEBOOK_FILE = "", BIAS_FILE = ""
) (
    input  wire               clock,
    input  wire               start,
    output reg                done,
    // The input (channel, row, column), from a memory beside.
    output wire [31:0]        in_address,
    input  wire [IN_BITS-1:0] in_code,
    // The output, in order.
    output reg                out_valid,
    output reg  [31:0]        out_address,
    output reg  [OUT_BITS-1:0] out_code
);
    localparam WEIGHT_BITS = CODEBOOK_WORDS == 0 ? CODE_BITS : CODEBOOK_BITS;
    localparam TAP_BITS = 32;
    localparam AREA = KERNEL_HEIGHT * KERNEL_WIDTH;

    reg [GAP_BITS+CODE_BITS-1:0] entries [0:ENTRIES-1];
    reg [ROW_BITS-1:0] rows [0:OUT_CHANNELS];
    initial begin
        done = 0;
        out_valid = 0;
        $readmemh(WEIGHTS_FILE, entries);
        $readmemh(ROWS_FILE, rows);
    end

    // Where the output stands.
    reg running;
    reg [31:0] channel, y, x;
    // Where the decoder stands: the next entry and its position, and the entry after the output's last.
    reg [31:0] at, last;
    reg [TAP_BITS-1:0] position;

    wire [TAP_BITS-1:0] tap, next;
    wire signed [WEIGHT_BITS-1:0] weight;
    synapse_decoder #(
        .GAP_BITS(GAP_BITS), .CODE_BITS(CODE_BITS), .TAP_BITS(TAP_BITS), .WEIGHT_BITS(WEIGHT_BITS),
        .CODEBOOK_WORDS(CODEBOOK_WORDS), .CODEBOOK_BITS(CODEBOOK_BITS), .CODEBOOK_FILE(CODEBOOK_FILE)
    ) decoder (.entry(entries[at]), .position(position), .tap(tap), .weight(weight), .next(next));

    // The input that the tap reads; outside the image there are zeros.
    wire [31:0] first = channel / (OUT_CHANNELS / GROUPS) * (IN_CHANNELS / GROUPS);
    wire [31:0] plane = first + tap / AREA;
    wire signed [31:0] row = y * STRIDE_Y + tap % AREA / KERNEL_WIDTH * DILATION_Y - PAD_Y;
    wire signed [31:0] column = x * STRIDE_X + tap % KERNEL_WIDTH * DILATION_X - PAD_X;
    wire in_image = row >= 0 && row < IN_HEIGHT && column >= 0 && column < IN_WIDTH;
    assign in_address = in_image ? (plane * IN_HEIGHT + row) * IN_WIDTH + column : 0;
    wire signed [IN_BITS:0] in = in_image ? {IN_SIGNED != 0 && in_code[IN_BITS-1], in_code} : 0;

    // Multiply-accumulate, from the bias.
    reg signed [ACCUMULATOR_BITS-1:0] accumulator;
    wire signed [WEIGHT_BITS+IN_BITS:0] product = weight * in;
    wire signed [ACCUMULATOR_BITS-1:0] bias;
    generate
        if (BIAS_BITS == 0) begin : no_bias
            assign bias = 0;
        end else begin : with_bias
            reg signed [BIAS_BITS-1:0] biases [0:OUT_CHANNELS-1];
            initial $readmemh(BIAS_FILE, biases);
            wire signed [127:0] wide = biases[channel];
            if (BIAS_SHIFT >= 0) begin : finer
                assign bias = wide <<< BIAS_SHIFT;
            end else begin : coarser
                localparam RIGHT = BIAS_SHIFT < -64 ? 64 : -BIAS_SHIFT;
                assign bias = (wide >>> RIGHT) + $signed({1'b0, wide[RIGHT-1]});
            end
        end
    endgenerate

    wire [OUT_BITS-1:0] code;
    synapse_finish #(
        .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .OUT_SHIFT(OUT_SHIFT), .OUT_BITS(OUT_BITS), .OUT_SIGNED(OUT_SIGNED)
    ) finish (.accumulator(accumulator), .code(code));

    // 0: begin an output; 1: accumulate until its entries end, then put it out.
    reg state;
    always @(posedge clock) begin
        out_valid <= 0;
        if (start) begin
            {channel, y, x, out_address} <= 0;
            running <= 1;
            done <= 0;
            state <= 0;
        end else if (running && state == 0) begin
            accumulator <= bias;
            position <= 0;
            at <= rows[channel];
            last <= rows[channel+1];
            state <= 1;
        end else if (running && at < last) begin
            accumulator <= accumulator + product;
            position <= next;
            at <= at + 1;
        end else if (running) begin
            out_code <= code;
            out_valid <= 1;
            out_address <= (channel * OUT_HEIGHT + y) * OUT_WIDTH + x;
            state <= 0;
            x <= x + 1;
            if (x + 1 == OUT_WIDTH) begin
                x <= 0;
                y <= y + 1;
                if (y + 1 == OUT_HEIGHT) begin
                    y <= 0;
                    channel <= channel + 1;
                    if (channel + 1 == OUT_CHANNELS) begin
                        running <= 0;
                        done <= 1;
                    end
                end
            end
        end
    end
endmodule

`default_nettype wire
