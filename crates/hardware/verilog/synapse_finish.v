// From an accumulator to a code of the output's format: one shift, rounded to nearest with ties upwards, and
// saturation. Combinational.
`default_nettype none

module synapse_finish #(
    parameter ACCUMULATOR_BITS = 32,
    // To the right; to the left if negative.
    parameter OUT_SHIFT = 0,
    parameter OUT_BITS = 8,
    parameter OUT_SIGNED = 1
) (
    input  wire signed [ACCUMULATOR_BITS-1:0] accumulator,
    output wire        [OUT_BITS-1:0]         code
);
    // Beyond these a shift makes no difference: 63 bits of sum become 0, or saturate whatever is not 0.
    localparam RIGHT = OUT_SHIFT > 64 ? 64 : OUT_SHIFT;
    localparam LEFT = OUT_SHIFT < -64 ? 64 : -OUT_SHIFT;

    wire signed [127:0] sum = accumulator;
    wire signed [127:0] rounded;
    generate
        if (OUT_SHIFT > 0) begin : right
            assign rounded = (sum >>> RIGHT) + $signed({1'b0, sum[RIGHT-1]});
        end else begin : left
            assign rounded = sum <<< LEFT;
        end
    endgenerate

    localparam signed [127:0] ONE = 1;
    localparam signed [127:0] HIGH = (ONE <<< (OUT_SIGNED ? OUT_BITS - 1 : OUT_BITS)) - ONE;
    localparam signed [127:0] LOW = OUT_SIGNED ? -(ONE <<< (OUT_BITS - 1)) : ONE - ONE;
    wire signed [127:0] saturated = rounded > HIGH ? HIGH : rounded < LOW ? LOW : rounded;
    assign code = saturated[OUT_BITS-1:0];
endmodule

`default_nettype wire
